// Keeps guestbook entries as lines of JSON on the volume mounted at /data.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const file = '/data/entries.jsonl';

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.end(existsSync(file) ? readFileSync(file) : '');
    return;
  }
  let body = '';
  request.on('data', (chunk) => {
    body += chunk;
  });
  request.on('end', () => {
    appendFileSync(file, `${JSON.stringify({ text: body, at: new Date().toISOString() })}\n`);
    response.statusCode = 201;
    response.end();
  });
});

process.on('SIGTERM', () => server.close(() => process.exit(0)));
server.listen(7000, () => console.log('store: listening on 7000'));
