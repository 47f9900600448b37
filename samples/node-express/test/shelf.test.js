const test = require('node:test');
const assert = require('node:assert');
const shelf = require('../src/shelf');

test('books are numbered', () => {
  assert.deepStrictEqual(shelf.add('Emma'), { number: 1, title: 'Emma' });
});
