//! The model of an edited file, from the model of the file before: what stayed is not read again.

use super::draft::Draft;
use super::reading::Reading;
use super::{Model, Stage, State};
use crate::catalog::Catalog;
use crate::syntax::Dockerfile;

/// Between two edits, an instruction is looked for among so many of the earlier text.
const NEAR: usize = 16;

/// A model without the tree that it describes.
#[derive(Debug)]
pub(crate) struct Meaning {
    stages: Vec<Stage>,
    states: Vec<State>,
    readings: Vec<Reading>,
}

impl<'a> Model<'a> {
    /// The model of `edited`, which reads like this one's tree in most places: equal to [`Model::new`], and sooner there.
    #[must_use]
    pub(crate) fn of_edited<'b>(&self, edited: &'b Dockerfile, targets: &[String]) -> Model<'b>
    where
        'a: 'b,
    {
        if self.dockerfile.escape() != edited.escape() {
            return Model::new(edited, self.catalog, targets);
        }
        let (head, same) = common(self.dockerfile, edited);
        let draft = Draft::new(edited, self.catalog, targets, Some((self, head)));
        let readings = same.into_iter().enumerate().map(|(index, earlier)| {
            let earlier = earlier.filter(|earlier| {
                self.states[*earlier].shell.dialect() == draft.states[index].shell.dialect()
            });
            earlier.map_or_else(Reading::default, |earlier| {
                let start = |tree: &Dockerfile, index: usize| {
                    tree.instructions()[index].span.start.cast_signed()
                };
                let distance = start(edited, index) - start(self.dockerfile, earlier);
                self.readings[earlier].moved(distance)
            })
        });
        Model {
            dockerfile: edited,
            catalog: self.catalog,
            readings: readings.collect(),
            stages: draft.stages,
            states: draft.states,
        }
    }

    /// Lets go of the tree.
    pub(crate) fn into_meaning(self) -> Meaning {
        Meaning {
            stages: self.stages,
            states: self.states,
            readings: self.readings,
        }
    }
}

impl Meaning {
    /// The model again, of the tree that it was made from.
    pub(crate) fn of<'a>(self, dockerfile: &'a Dockerfile, catalog: &'a Catalog) -> Model<'a> {
        Model {
            dockerfile,
            catalog,
            stages: self.stages,
            states: self.states,
            readings: self.readings,
        }
    }
}

/// How many instructions two files have in common from the first on, and for each of the second one's which of the
/// first one's reads the same.
fn common(old: &Dockerfile, new: &Dockerfile) -> (usize, Vec<Option<usize>>) {
    let (before, after) = (old.instructions().len(), new.instructions().len());
    let equal = |one: usize, other: usize| {
        old.bytes(old.instructions()[one].span) == new.bytes(new.instructions()[other].span)
    };
    let shorter = before.min(after);
    let head = (0..shorter).take_while(|at| equal(*at, *at)).count();
    let tail = (1..=shorter - head)
        .take_while(|back| equal(before - back, after - back))
        .count();
    let mut next = head;
    let same = (0..after).map(|at| {
        if at < head {
            return Some(at);
        }
        if at >= after - tail {
            return Some(at + before - after);
        }
        let found = (next..(before - tail).min(next + NEAR)).find(|one| equal(*one, at))?;
        next = found + 1;
        Some(found)
    });
    let same = same.collect();
    (head, same)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files of which each is an edit of the one before.
    const EDITS: &[&str] = &[
        "ARG V=1\nFROM a AS b\nENV A=1\nRUN apt-get install x\nCMD y\nFROM b\nRUN pip install z\n",
        "ARG V=1\nFROM a AS b\nENV A=1\nRUN apt-get install -y x\nCMD y\nFROM b\nRUN pip install z\n",
        "# c\nARG V=1\nFROM a AS b\nENV A=1\nRUN apt-get install -y x\nCMD y\nFROM b\nRUN pip install z\n",
        "# c\nARG V=1\nFROM a AS b\nENV A=1\nCMD y\nFROM b\nRUN pip install z\nRUN v\n",
        "# c\nARG V=1\nFROM a AS b\nENV A=1\nCMD y\nFROM b\nSHELL [\"bash\", \"-c\"]\nRUN pip install z\nRUN v\n",
        "ARG V=2\nFROM a AS b\nENV A=1\nCMD y\nFROM b\nRUN v\nUSER w\nRUN pip install z\n",
        "ARG V=2\nFROM a AS b\nENV A=1\nCMD y\n",
        "ARG V=2\nFROM a AS b\nENV A=1\nCMD y\nFROM c\nCOPY --from=b / /\nRUN v\n",
        "# escape=`\nARG V=2\nFROM a AS b\nENV A=1\nCMD y\nFROM c\nCOPY --from=b / /\nRUN v\n",
    ];

    /// All that a rule can ask.
    fn shown(model: &Model<'_>) -> String {
        let each = (0..model.dockerfile.instructions().len()).map(|index| {
            (
                model.state(index),
                model.script(index),
                model.operations(index),
            )
        });
        format!("{:?} {:?}", model.stages, each.collect::<Vec<_>>())
    }

    #[test]
    fn the_model_of_an_edited_file_is_its_model() {
        let catalog = Catalog::default();
        let trees: Vec<Dockerfile> = EDITS
            .iter()
            .map(|text| Dockerfile::parse(text.as_bytes()))
            .collect();
        for asked in [true, false] {
            let mut model = Model::new(&trees[0], &catalog, &[]);
            for tree in &trees[1..] {
                if asked {
                    let _ = shown(&model);
                }
                model = model.of_edited(tree, &[]);
                let kept = model.into_meaning();
                model = kept.of(tree, &catalog);
            }
            for (at, tree) in trees.iter().enumerate() {
                for earlier in &trees {
                    let earlier = Model::new(earlier, &catalog, &[]);
                    let _ = shown(&earlier);
                    let edited = earlier.of_edited(tree, &[]);
                    let new = Model::new(tree, &catalog, &[]);
                    assert_eq!(shown(&edited), shown(&new), "{at}");
                }
            }
            let last = trees.last().expect("there are some");
            assert_eq!(shown(&model), shown(&Model::new(last, &catalog, &[])));
        }
    }
}
