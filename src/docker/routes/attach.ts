/** The streams of containers themselves. */
import { attached, attachment, streamsOf } from '../streams/attachment.ts';
import { containerOf } from '../streams/containers.ts';
import { streamType } from '../streams/frames.ts';
import { type DockerCall, type DockerReply, type DockerRoute, route } from '../wire/route.ts';
import { webSocketHead } from '../wire/websocket.ts';

async function attach(call: DockerCall): Promise<DockerReply> {
  // Some clients send one with an upgrade, and nothing of it is needed; without an upgrade the body is input.
  if (call.request.headers.upgrade !== undefined) await call.readBody();
  const record = containerOf(call);
  const found = attachment(call, record, streamsOf(call, record.config.Tty));
  return {
    type: 'hijack',
    contentType: streamType(record.config.Tty, call.minor),
    run: (hijacked) => attached(call, found, hijacked),
  };
}

/** Versions from here on choose the streams; older clients get all of them. */
const CHOSEN_STREAMS = 42;
/** Versions from here on get binary messages. */
const BINARY = 28;

async function attachByWebSocket(call: DockerCall): Promise<DockerReply> {
  const head = webSocketHead(call.request);
  await call.readBody();
  const record = containerOf(call);
  const asked = streamsOf(call, true);
  const streams = call.minor < CHOSEN_STREAMS ? { ...asked, stdin: true, stdout: true, stderr: true } : asked;
  const found = attachment(call, record, streams);
  return {
    type: 'websocket',
    head,
    messages: call.minor < BINARY ? 'text' : 'binary',
    run: (hijacked) => attached(call, found, hijacked),
  };
}

export const attachRoutes: readonly DockerRoute[] = [
  route('POST', '/containers/{id}/attach', attach),
  route('GET', '/containers/{id}/attach/ws', attachByWebSocket),
];
