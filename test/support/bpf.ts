/** Runs a seccomp filter as the kernel does: classic BPF over struct seccomp_data. */

export interface SystemCall {
  readonly audit: number;
  readonly number: number;
  readonly args?: readonly bigint[];
}

function dataOf({ audit, number, args = [] }: SystemCall): Buffer {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number >>> 0, 0);
  data.writeUInt32LE(audit >>> 0, 4);
  for (let index = 0; index < 6; index++) data.writeBigUInt64LE(args[index] ?? 0n, 16 + index * 8);
  return data;
}

/** @returns the word that the program answers. Throws for an instruction that no filter may have. */
export function runFilter(program: Buffer, call: SystemCall): number {
  const data = dataOf(call);
  let accumulator = 0;
  for (let at = 0; ; ) {
    const offset = at * 8;
    if (offset >= program.length) throw new Error(`the program ends at ${at} without an answer`);
    const [code, yes, no, k] = [
      program.readUInt16LE(offset),
      program.readUInt8(offset + 2),
      program.readUInt8(offset + 3),
      program.readUInt32LE(offset + 4),
    ];
    const jump = (isMet: boolean): void => {
      at += 1 + (isMet ? yes : no);
    };
    if (code === 0x20) {
      accumulator = data.readUInt32LE(k);
      at++;
    } else if (code === 0x54) {
      accumulator = (accumulator & k) >>> 0;
      at++;
    } else if (code === 0x05) at += 1 + k;
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x25) jump(accumulator > k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x06) return k;
    else throw new Error(`instruction ${at} has code 0x${code.toString(16)}`);
  }
}
