/** The streams of containers themselves. */
import { attached, attachment, streamsOf } from '../streams/attachment.ts';
import { containerOf } from '../streams/containers.ts';
import { streamType } from '../streams/frames.ts';
import { type DockerCall, type DockerReply, type DockerRoute, route } from '../wire/route.ts';

async function attach(call: DockerCall): Promise<DockerReply> {
  // Some clients send one with an upgrade, and nothing of it is needed; without an upgrade the body is input.
  if (call.request.headers.upgrade !== undefined) await call.readBody();
  const record = containerOf(call);
  const found = attachment(call, record, streamsOf(call));
  return {
    type: 'hijack',
    contentType: streamType(record.config.Tty, call.minor),
    run: (hijacked) => attached(call, found, hijacked),
  };
}

export const attachRoutes: readonly DockerRoute[] = [route('POST', '/containers/{id}/attach', attach)];
