/** Takes requests from the supervisor. */
import { createServer, type Socket } from 'node:net';
import { peerUid } from '../../ffi/sockets/peer.ts';
import { encodeMessage, type Hello, MessageDecoder, RESOLVER_PROTOCOL, type Reply } from '../protocol.ts';
import type { Registry } from '../registry.ts';
import { acceptLane, type Lane } from './lanes.ts';
import { RefusedRequest } from './refused-request.ts';
import { handle, type NumberedRequest, requestOf } from './requests.ts';

export interface ControlOptions {
  readonly registry: Registry;
  /** Listening sockets. */
  readonly control: number;
  readonly lanes: number;
  readonly program: string;
  readonly mayCommand: (uid: number | null) => boolean;
  readonly log: (line: string) => void;
  readonly onEnd: () => void;
}

/** Connections that have not said hello. */
const MAX_SILENT = 8;

/** Serves until the process ends. @returns whether a supervisor is connected */
export function serveControl(options: ControlOptions): () => boolean {
  let current: Session | null = null;
  const sessions = new Set<Session>();
  const server = createServer((socket) => {
    if (!options.mayCommand(peerUid(socket)) || sessions.size > MAX_SILENT) {
      socket.destroy();
      return;
    }
    const session: Session = new Session(socket, options, {
      onHello: () => {
        if (current !== session) current?.end();
        current = session;
      },
      onClose: () => {
        sessions.delete(session);
        if (current === session) current = null;
      },
    });
    sessions.add(session);
  });
  server.on('error', (error) => options.log(`control socket: ${error.message}`));
  server.listen({ fd: options.control });
  return () => current !== null;
}

class Session {
  readonly #socket: Socket;
  readonly #options: ControlOptions;
  readonly #onHello: () => void;
  #lane: Lane | null = null;

  constructor(socket: Socket, options: ControlOptions, hooks: { onHello: () => void; onClose: () => void }) {
    this.#socket = socket;
    this.#options = options;
    this.#onHello = hooks.onHello;
    const decoder = new MessageDecoder();
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#lane?.close();
      this.#lane = null;
      hooks.onClose();
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const message of decoder.push(chunk)) this.#take(requestOf(message));
      } catch (error) {
        options.log(`control connection: ${(error as Error).message}`);
        socket.destroy();
      }
    });
  }

  end(): void {
    this.#socket.destroy();
  }

  #take(numbered: NumberedRequest): void {
    if (this.#socket.destroyed) return;
    this.#reply(this.#answer(numbered));
    if (numbered.request.kind === 'end') this.#options.onEnd();
  }

  #reply(reply: Reply): void {
    this.#socket.write(encodeMessage(reply));
  }

  #answer({ id, request }: NumberedRequest): Reply {
    try {
      if (request.kind === 'hello') return { id, result: this.#hello(request.lane) };
      if (request.kind === 'end') return { id, result: { relaying: this.#options.registry.busy.relaying } };
      if (this.#lane === null) throw new RefusedRequest('bad-request', 'hello comes first');
      return { id, result: handle(request, this.#options.registry, this.#lane) };
    } catch (error) {
      const refused = error instanceof RefusedRequest ? error.refusal : 'bad-request';
      return { id, refused, message: (error as Error).message };
    }
  }

  #hello(lane: string): Hello {
    const { lanes, mayCommand, registry, program } = this.#options;
    const accepted = acceptLane(lanes, lane, mayCommand);
    this.#lane?.close();
    this.#lane = accepted;
    this.#onHello();
    return { version: RESOLVER_PROTOCOL, pid: process.pid, program, ...registry.held() };
  }
}
