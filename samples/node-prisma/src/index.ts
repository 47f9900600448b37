import { PrismaClient } from '@prisma/client';
import express from 'express';

const database = new PrismaClient();
const app = express();
app.use(express.json());
app.get('/healthz', (_, response) => void response.json({ status: 'ok' }));
app.get('/entries', async (_, response) => void response.json(await database.entry.findMany()));
app.post('/entries', async (request, response) => {
  const entry = await database.entry.create({ data: { text: String(request.body.text) } });
  response.status(201).json(entry);
});

const server = app.listen(3000);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
