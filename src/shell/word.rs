/// Words of `text` as the shell splits it, when it is plain: no expansion, operator, glob or comment.
#[must_use]
pub fn split_words(_text: &[u8]) -> Option<Vec<Vec<u8>>> {
    todo!()
}
