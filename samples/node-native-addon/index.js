import { createServer } from 'node:http';
import { hash, verify } from './passwords.js';

const known = await hash('correct horse');

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  if (pathname !== '/login') {
    response.writeHead(pathname === '/healthz' ? 204 : 404).end();
    return;
  }
  const right = await verify(searchParams.get('password') ?? '', known);
  response.writeHead(right ? 200 : 403, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ right }));
});

server.listen(3000);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
