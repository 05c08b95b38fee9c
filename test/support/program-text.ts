/** A syscall program as text, one line an op, as the shim would execute it. */
import { HEADER_BYTES, OP_BYTES, OP_FLAGS } from '../../src/drivers/exec/native/program/program.ts';
import { SYSCALL_NUMBERS } from '../../src/ffi/call/syscall-numbers.ts';
import { OPENAT2 } from '../../src/ffi/files/openat2.ts';

const NAMES = new Map(Object.entries({ ...SYSCALL_NUMBERS, openat2: OPENAT2 }).map(([name, number]) => [number, name]));

/** A string in quotes when the data is one, else its bytes. */
function dataText(encoded: Buffer, at: number, end: number): string {
  const bytes = encoded.subarray(at, end);
  const zero = bytes.indexOf(0);
  const text = bytes.toString('latin1', 0, zero);
  const isText =
    zero >= 0 && /^[\x20-\x7e]*$/.test(text) && bytes.subarray(zero).every((byte) => byte === 0) && zero > 0;
  return isText || (bytes.length === 8 && zero === 0) ? JSON.stringify(text) : `{${bytes.length} bytes}`;
}

function argumentText(word: bigint): string {
  const signed = BigInt.asIntN(64, word);
  if (signed === -100n) return 'CWD';
  return signed < 0n || word < 10n ? `${signed}` : `0x${word.toString(16)}`;
}

export function programText(encoded: Buffer): string[] {
  const ops = encoded.readUInt32LE(8);
  const secondChild = encoded.readUInt32LE(28);
  const fixups = encoded.readUInt32LE(40);
  const starts = new Set<number>([fixups]);
  const each = <T>(visit: (at: number) => T): T[] =>
    Array.from({ length: ops }, (_, i) => visit(HEADER_BYTES + i * OP_BYTES));
  each((at) => {
    for (let i = 0; i < 6; i++) {
      if ((encoded.readUInt8(at + 5) >> i) & 1) starts.add(Number(encoded.readBigUInt64LE(at + 8 + i * 8)));
    }
  });
  const ends = [...starts].sort((a, b) => a - b);
  const lines = each((at) => {
    const words = Array.from({ length: 6 }, (_, i) => encoded.readBigUInt64LE(at + 8 + i * 8));
    const texts = words.map((word, i) => {
      if ((encoded.readUInt8(at + 6) >> i) & 1) return `$${word}`;
      if ((encoded.readUInt8(at + 5) >> i) & 1) {
        const start = Number(word);
        return dataText(encoded, start, ends.find((end) => end > start) ?? fixups);
      }
      return argumentText(word);
    });
    while (texts.at(-1) === '0') texts.pop();
    const result = encoded.readUInt8(at + 7);
    const name = NAMES.get(encoded.readUInt32LE(at)) ?? '?';
    const flags = encoded.readUInt8(at + 4);
    const how = `${flags & OP_FLAGS.ignoresErrors ? 'try ' : ''}${flags & OP_FLAGS.retried ? 'again ' : ''}`;
    return `${how}${result === 255 ? '' : `$${result} = `}${name}(${texts.join(', ')})`;
  });
  if (secondChild > 0) lines.splice(secondChild, 0, 'second child:');
  return lines;
}
