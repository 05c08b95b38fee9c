/**
 * Classic BPF, put together from its end: a jump leads forwards only, so where it leads is known when it is written.
 * include/uapi/linux/filter.h, include/uapi/linux/bpf_common.h.
 */

/** struct sock_filter */
const INSTRUCTION_BYTES = 8;
/** BPF_MAXINSNS */
const MAX_INSTRUCTIONS = 4096;

const CODE = { load: 0x20, and: 0x54, jumpAlways: 0x05, equal: 0x15, greater: 0x25, atLeast: 0x35, ret: 0x06 } as const;
/** Of a jump with a condition; one without has 32 bits. */
const MAX_JUMP = 255;

/** A place that can be jumped to: how many instructions there are from it to the end. */
export type Label = number;

interface Instruction {
  readonly code: number;
  readonly yes: number;
  readonly no: number;
  readonly k: number;
}

export class Assembler {
  /** The last one first. */
  readonly #instructions: Instruction[] = [];
  readonly #returns = new Map<number, Label>();

  /** Where what is written next is found. */
  get #here(): Label {
    return this.#instructions.length;
  }

  #write(code: number, k: number, yes = 0, no = 0): Label {
    this.#instructions.push({ code, yes, no, k: k >>> 0 });
    return this.#here;
  }

  /** A place that answers `word`, close enough for a jump that is written soon. */
  answer(word: number): Label {
    const known = this.#returns.get(word);
    // Room for a far jump of the same instruction.
    if (known !== undefined && this.#here - known < MAX_JUMP - 2) return known;
    const label = this.#write(CODE.ret, word);
    this.#returns.set(word, label);
    return label;
  }

  /** @param then what follows; it has to be what was written last, or is jumped to. */
  load(offset: number, then: Label): Label {
    this.#follow(then);
    return this.#write(CODE.load, offset);
  }

  and(mask: number, then: Label): Label {
    this.#follow(then);
    return this.#write(CODE.and, mask);
  }

  when(test: 'equal' | 'greater' | 'atLeast', k: number, yes: Label, no: Label): Label {
    const near = (label: Label): Label => (this.#here - label > MAX_JUMP - 2 ? this.#jump(label) : label);
    const [closeYes, closeNo] = [near(yes), near(no)];
    return this.#write(CODE[test], k, this.#here - closeYes, this.#here - closeNo);
  }

  #follow(label: Label): void {
    if (label !== this.#here) this.#jump(label);
  }

  #jump(label: Label): Label {
    return this.#write(CODE.jumpAlways, this.#here - label);
  }

  /** @param start where the program begins. @throws RangeError when it is longer than the kernel takes. */
  finish(start: Label): Buffer {
    this.#follow(start);
    const count = this.#instructions.length;
    if (count > MAX_INSTRUCTIONS) {
      throw new RangeError(`the filter needs ${count} instructions, and the kernel takes ${MAX_INSTRUCTIONS}`);
    }
    const out = Buffer.alloc(count * INSTRUCTION_BYTES);
    this.#instructions.forEach(({ code, yes, no, k }, index) => {
      const at = (count - 1 - index) * INSTRUCTION_BYTES;
      out.writeUInt16LE(code, at);
      out.writeUInt8(yes, at + 2);
      out.writeUInt8(no, at + 3);
      out.writeUInt32LE(k, at + 4);
    });
    return out;
  }
}
