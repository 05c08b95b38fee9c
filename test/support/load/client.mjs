/**
 * Asks a server without an end: new connections at a rate, and slow requests on connections that stay open. Ends with
 * a summary when its input ends; `mark NAME` on it begins another part. `node client.mjs PORT RATE OPEN ADDRESS...`
 */
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';

const [, , port, rate, open, ...addresses] = process.argv;
const TICK_MS = 5;

const fresh = () => ({ asked: 0, answers: {}, seen: {}, failed: [], slow: {}, slowFailed: [] });
const parts = { start: fresh() };
let part = parts.start;
let going = true;

function ask(host, path, agent) {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port: Number(port), path, agent, timeout: 30_000 }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(text.split(' ')));
      response.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer within 30 s')));
    sent.on('error', reject);
    sent.end();
  });
}

const count = (counts, key) => {
  counts[key] = (counts[key] ?? 0) + 1;
};
const textOf = ({ code, message }) => code ?? message;

async function once(host) {
  const own = part;
  own.asked++;
  try {
    const [name, seen] = await ask(host, '/', false);
    count(own.answers, name);
    count(own.seen, seen);
  } catch (error) {
    own.failed.push(`${host} ${textOf(error)}`);
  }
}

/** On one connection; a new one only when that is over. */
async function again(host) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  while (going) {
    try {
      const [name] = await ask(host, '/slow', agent);
      count(part.slow, name);
    } catch (error) {
      part.slowFailed.push(`${host} ${textOf(error)}`);
    }
  }
  agent.destroy();
}

const waiting = [];
for (let n = 0; n < Number(open); n++) waiting.push(again(addresses[n % addresses.length]));
const begun = performance.now();
let sent = 0;
const timer = setInterval(() => {
  const due = ((performance.now() - begun) / 1000) * Number(rate);
  for (; sent < due; sent++) waiting.push(once(addresses[sent % addresses.length]));
}, TICK_MS);

const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  const [word, name] = line.split(' ');
  if (word === 'mark') {
    parts[name] = fresh();
    part = parts[name];
  }
  process.stdout.write(`${JSON.stringify({ now: name, parts })}\n`);
});
input.on('close', async () => {
  going = false;
  clearInterval(timer);
  await Promise.all(waiting);
  process.stdout.write(`${JSON.stringify({ now: null, parts })}\n`);
});
