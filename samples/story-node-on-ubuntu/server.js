const express = require('express');
const { WebSocketServer } = require('ws');
const { greeting } = require('./greeting');

const app = express();
app.get('/', (req, res) => res.send(greeting(req.query.name)));
app.get('/healthz', (req, res) => res.sendStatus(204));

const server = app.listen(3000);
new WebSocketServer({ server }).on('connection', (socket) => socket.send(greeting('socket')));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
