const books = [];

exports.count = () => books.length;
exports.all = () => books;
exports.add = (title) => {
  const book = { number: books.length + 1, title };
  books.push(book);
  return book;
};
