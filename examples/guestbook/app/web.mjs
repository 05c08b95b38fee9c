// Shows the guestbook. Finds its store by the name of the link.
import { createServer } from 'node:http';

const store = 'http://store:7000/';
const title = process.env.TITLE ?? 'Guestbook';

const server = createServer(async (request, response) => {
  try {
    if (request.method === 'POST') {
      let body = '';
      for await (const chunk of request) body += chunk;
      await fetch(store, { method: 'POST', body });
    }
    const lines = (await (await fetch(store)).text()).split('\n').filter((line) => line !== '');
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    response.end(
      [`${title}: ${lines.length} entries`, ...lines.map((line) => `  ${JSON.parse(line).text}`), ''].join('\n'),
    );
    console.log(`web: ${request.method} ${request.url}, ${lines.length} entries`);
  } catch (error) {
    response.statusCode = 502;
    response.end(`store does not answer: ${error.cause?.code ?? error.message}\n`);
  }
});

process.on('SIGTERM', () => server.close(() => process.exit(0)));
server.listen(8080, () => console.log('web: listening on 8080'));
