import type { Refusal } from '../protocol.ts';

export class RefusedRequest extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal, message: string) {
    super(message);
    this.refusal = refusal;
  }
}
