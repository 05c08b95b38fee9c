/** The answer to one HTTP/1.1 request (RFC 9112), out of the bytes that a connection brings. */

type AnswerHeaders = Readonly<Record<string, string>>;

export interface AnswerHead {
  readonly status: number;
  /** By name in small letters; of several with one name the last. */
  readonly headers: AnswerHeaders;
}

/** Bytes of headers, and of a line between chunks, that are read at most. */
const MAX_HEAD_BYTES = 64 * 1024;
const EMPTY = Buffer.alloc(0);

type State =
  | { readonly at: 'head' }
  | { readonly at: 'fixed'; left: number }
  | { readonly at: 'chunk-size' }
  | { readonly at: 'chunk'; left: number }
  | { readonly at: 'chunk-end' }
  | { readonly at: 'trailer' }
  /** The body ends with the connection. */
  | { readonly at: 'until-close' }
  | { readonly at: 'end' };

/** Accepts bytes in any pieces. Throws an Error for bytes that are not HTTP. */
export class AnswerDecoder {
  head: AnswerHead | null = null;
  #state: State = { at: 'head' };
  #bytes: Buffer = EMPTY;

  /** The whole answer came, if the connection ends now. */
  get complete(): boolean {
    return this.#state.at === 'end' || this.#state.at === 'until-close';
  }

  /** Nothing of the answer is to come. */
  get ended(): boolean {
    return this.#state.at === 'end';
  }

  /** What came behind the answer: the first bytes of another protocol after an upgrade. */
  get rest(): Buffer {
    return this.#bytes;
  }

  /** Pieces of the body. */
  push(chunk: Buffer): readonly Buffer[] {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const body: Buffer[] = [];
    while (this.#step(body));
    return body;
  }

  /** False when there is nothing more to do with what has come. */
  #step(body: Buffer[]): boolean {
    const state = this.#state;
    switch (state.at) {
      case 'end':
        return false;
      case 'head':
        return this.#readHead();
      case 'until-close':
        return this.#take(Number.POSITIVE_INFINITY, body) > 0;
      case 'fixed':
      case 'chunk': {
        state.left -= this.#take(state.left, body);
        if (state.left > 0) return false;
        this.#state = state.at === 'fixed' ? { at: 'end' } : { at: 'chunk-end' };
        return true;
      }
      default:
        return this.#readChunkLine(state.at);
    }
  }

  #take(limit: number, body: Buffer[]): number {
    const length = Math.min(limit, this.#bytes.length);
    if (length > 0) body.push(this.#bytes.subarray(0, length));
    this.#bytes = this.#bytes.subarray(length);
    return length;
  }

  #readHead(): boolean {
    const text = this.#until('\r\n\r\n');
    if (text === null) return false;
    const [first = '', ...lines] = text.split('\r\n');
    const status = /^HTTP\/1\.[01] (\d{3})( |$)/.exec(first)?.[1];
    if (status === undefined) throw new Error(`not an answer of HTTP: ${JSON.stringify(first.slice(0, 40))}`);
    const headers: Record<string, string> = Object.create(null);
    for (const line of lines) {
      const colon = line.indexOf(':');
      if (colon < 1) throw new Error(`not a header of HTTP: ${JSON.stringify(line.slice(0, 40))}`);
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    this.head = { status: Number(status), headers };
    this.#state = bodyOf(this.head);
    return true;
  }

  #readChunkLine(at: 'chunk-size' | 'chunk-end' | 'trailer'): boolean {
    const line = this.#until('\r\n');
    if (line === null) return false;
    if (at === 'chunk-size') {
      if (!/^[0-9a-f]{1,12}(;|$)/i.test(line)) throw new Error('not the size of a chunk of HTTP');
      const left = Number.parseInt(line, 16);
      this.#state = left === 0 ? { at: 'trailer' } : { at: 'chunk', left };
    } else if (at === 'chunk-end') {
      if (line !== '') throw new Error('a chunk of HTTP is longer than its size');
      this.#state = { at: 'chunk-size' };
    } else if (line === '') this.#state = { at: 'end' };
    return true;
  }

  /** The text before an end that has come, which is taken away with it. */
  #until(end: string): string | null {
    const index = this.#bytes.indexOf(end, 0, 'latin1');
    if (index > MAX_HEAD_BYTES || (index === -1 && this.#bytes.length > MAX_HEAD_BYTES + end.length)) {
      throw new Error(`more than ${MAX_HEAD_BYTES} bytes of HTTP headers`);
    }
    if (index === -1) return null;
    const text = this.#bytes.toString('latin1', 0, index);
    this.#bytes = this.#bytes.subarray(index + end.length);
    return text;
  }
}

function bodyOf({ status, headers }: AnswerHead): State {
  if (status < 200 || status === 204 || status === 304) return { at: 'end' };
  if (/\bchunked$/i.test(headers['transfer-encoding'] ?? '')) return { at: 'chunk-size' };
  const length = headers['content-length'];
  if (length === undefined) return { at: 'until-close' };
  if (!/^\d{1,15}$/.test(length)) throw new Error('not a length of HTTP');
  return length === '0' ? { at: 'end' } : { at: 'fixed', left: Number(length) };
}
