//! A service that throws dice.

mod dice;

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{json, Value};
use tokio::signal::unix::{signal, SignalKind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/healthz", get(|| async { Json(json!({"status": "ok"})) }))
        .route("/throw/:seed", get(throw));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    let mut terminated = signal(SignalKind::terminate())?;
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            terminated.recv().await;
        })
        .await
}

async fn throw(Path(seed): Path<u64>) -> Json<Value> {
    Json(json!({"eyes": dice::throw(seed)}))
}
