const express = require('express');
const { convert } = require('@rates/money');

const app = express();
app.get('/healthz', (req, res) => res.json({ status: 'ok' }));
app.get('/convert/:cents', (req, res) => res.json({ cents: convert(Number(req.params.cents), 1.25) }));

const server = app.listen(4000);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
