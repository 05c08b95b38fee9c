/** The ops of plans as jobs. */
import type { JobSpec } from '../engine/job-spec.ts';
import type { OpType } from './op.ts';
import { OP_TRAITS } from './op-traits.ts';

function opJob(type: OpType): JobSpec {
  const [subject] = type.split('.', 1);
  return {
    name: type,
    summary: `carries out an op of a plan: ${subject} ${OP_TRAITS[type].done}`,
    args: 'KEY',
    instead: 'It runs when a plan has it: change the manifest, and `tsdocker plan` shows what will be done.',
  };
}

export const OP_JOBS: readonly JobSpec[] = Object.keys(OP_TRAITS).map((type) => opJob(type as OpType));
