import Koa from 'koa';
import { forecast } from './forecast';

const app = new Koa();
app.use((ctx) => {
  if (ctx.path === '/healthz') ctx.body = { status: 'ok' };
  else if (ctx.path.startsWith('/forecast/')) ctx.body = forecast(ctx.path.slice(10));
});

const server = app.listen(3000);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
