import fastify from 'fastify';
import { Links } from './links';

const app = fastify({ logger: false });
const links = new Links();

app.get('/healthz', async () => ({ status: 'ok' }));
app.post<{ Body: { url: string } }>('/links', async (request, reply) => {
  reply.code(201);
  return { key: links.add(request.body.url) };
});
app.get<{ Params: { key: string } }>('/:key', async (request, reply) => {
  const url = links.get(request.params.key);
  return url ? reply.redirect(302, url) : reply.code(404).send({ error: 'unknown link' });
});

process.on('SIGTERM', () => app.close().then(() => process.exit(0)));
app.listen({ host: '0.0.0.0', port: Number(process.env.PORT ?? 8080) });
