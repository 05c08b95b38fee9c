/** libnftables(3): commands as text, answers as JSON. */
import { constants } from 'node:os';
import type { ErrorClass } from '../../model/errors/error-class.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { callNumber, callString, openLibrary } from '../call/foreign.ts';
import { uninterrupted } from '../call/uninterrupted.ts';

const LIBRARY = 'nftables';
/** NFT_CTX_DEFAULT and NFT_CTX_OUTPUT_JSON of nftables/libnftables.h. */
const NFT_CTX_DEFAULT = 0;
const NFT_CTX_OUTPUT_JSON = 1 << 4;

/** strerror(3) texts as libnftables prints them: it has no other code of an error, and the caller acts on it. */
const ERRNO_OF_TEXT: readonly (readonly [string, number, ErrorClass])[] = [
  ['No such file or directory', constants.errno.ENOENT, 'precondition'],
  ['element does not exist', constants.errno.ENOENT, 'precondition'],
  ['File exists', constants.errno.EEXIST, 'conflict'],
  ['interval overlaps', constants.errno.EEXIST, 'conflict'],
  ['Operation not permitted', constants.errno.EPERM, 'denied'],
  ['Operation not supported', constants.errno.EOPNOTSUPP, 'unsupported'],
  ['Protocol not supported', constants.errno.EPROTONOSUPPORT, 'unsupported'],
];

/** A libnftables context, bound to the network namespace it was opened in. Kept for life: making one costs milliseconds. */
export class Nftables {
  readonly #context: number;

  /** @throws TsdError TSD_UNSUPPORTED_HOST when libnftables is not installed. */
  constructor() {
    openLibrary(LIBRARY, 'libnftables.so.1');
    this.#context = callNumber(LIBRARY, 'nft_ctx_new', [NFT_CTX_DEFAULT]);
    if (this.#context === 0) throw new TsdError('TSD_NETWORK', 'nft_ctx_new failed', { class: 'exhausted' });
    callNumber(LIBRARY, 'nft_ctx_output_set_flags', [this.#context, NFT_CTX_OUTPUT_JSON]);
    callNumber(LIBRARY, 'nft_ctx_buffer_output', [this.#context]);
    callNumber(LIBRARY, 'nft_ctx_buffer_error', [this.#context]);
  }

  /**
   * Runs commands as one transaction: all or none.
   * @param step what they are for, in words for the error.
   * @returns what list commands printed, JSON.
   * @throws TsdError TSD_NETWORK with the library's text, which marks the place in the command; errno where it is known.
   */
  run(step: string, commands: string): string {
    const run = (): number => callNumber(LIBRARY, 'nft_run_cmd_from_buffer', [this.#context, commands]);
    // A signal while it waits for the kernel's answers fails a transaction that was made.
    const failed = uninterrupted(run);
    const output = callString(LIBRARY, 'nft_ctx_get_output_buffer', [this.#context]);
    const errors = callString(LIBRARY, 'nft_ctx_get_error_buffer', [this.#context]);
    if (failed === 0) return output;
    const known = ERRNO_OF_TEXT.find(([text]) => errors.includes(text));
    throw new TsdError('TSD_NETWORK', `${step}: ${errors.trim()}`, { class: known?.[2], errno: known?.[1], step });
  }

  close(): void {
    callNumber(LIBRARY, 'nft_ctx_free', [this.#context]);
  }
}
