const express = require('express');
const path = require('path');
const shelf = require('./shelf');

const app = express();
app.set('json spaces', 0);
app.use(express.json());
app.use(express.static(path.join(__dirname, '..', 'public')));

app.get('/healthz', (req, res) => res.json({ status: 'ok', books: shelf.count() }));
app.get('/books', (req, res) => res.json(shelf.all()));
app.post('/books', (req, res) => {
  if (!req.body.title) return res.status(400).json({ error: 'a book needs a title' });
  res.status(201).json(shelf.add(req.body.title));
});

const server = app.listen(process.env.PORT || 3000, () => console.log('listening'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
