//! docker-diet reads a Dockerfile and its build context, works out the stack, and rewrites it into a lean one.

pub mod catalog;
pub mod context;
pub mod model;
pub mod pipeline;
pub mod rules;
pub mod shell;
pub mod stack;
pub mod syntax;
pub mod text;

pub mod build;
pub mod cli;
pub mod forge;
pub mod report;
pub mod template;
