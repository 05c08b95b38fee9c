/** Another API on the same sockets: it answers whatever is not below the prefix of this one. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Caller } from './served.ts';

export type OtherCaller = Caller;

export interface OtherApi {
  /** @throws what {@link OtherApi.refuse} then says */
  answer(request: IncomingMessage, response: ServerResponse, caller: OtherCaller): Promise<void>;
  /** Answers a request that asks for another protocol; resolves when the conversation is over. @throws as `answer` */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, caller: OtherCaller): Promise<void>;
  refuse(response: ServerResponse, thrown: unknown): void;
  /** The whole answer to an upgrade that is refused. */
  refusal(thrown: unknown): string;
}
