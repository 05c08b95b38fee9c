/** The shim's exit record: `exit.<run>`, one line that a person can read, written by shim/record.c. */
import { readFileSync } from 'node:fs';
import { classOfErrnoName } from '../../../../model/errors/errno-classes.ts';
import { TsdError } from '../../../../model/errors/errors.ts';

export interface ExitRecord {
  /** 0–255, 128 + signal when killed. */
  readonly exitCode: number;
  readonly signal: number | null;
  readonly coreDumped: boolean;
  readonly finishedAtMs: number;
}

/** The run has ended, and how is not known: as opposed to a record that cannot be read for now. */
export class DamagedRecord extends TsdError {
  constructor(path: string) {
    super('TSD_STATE_CORRUPT', `${path} is not an exit record`, { step: 'read the exit record' });
  }
}

/** @throws DamagedRecord. Keys of later versions are ignored. @internal */
export function parseExitRecord(text: string, path: string): ExitRecord {
  const [kind, ...pairs] = text.trimEnd().split(' ');
  const values = new Map(pairs.map((pair) => pair.split('=', 2) as [string, string]));
  const signal = Number(values.get('signal'));
  const code = values.get('code') === '-' ? 128 + signal : Number(values.get('code'));
  const finishedAtMs = Date.parse(values.get('finished') ?? '');
  const sound = Number.isInteger(code) && code >= 0 && code <= 255 && Number.isInteger(signal) && signal >= 0;
  if (kind !== 'tsdocker-exit' || !text.endsWith('\n') || !sound || Number.isNaN(finishedAtMs)) {
    throw new DamagedRecord(path);
  }
  return { exitCode: code, signal: signal === 0 ? null : signal, coreDumped: values.get('core') === '1', finishedAtMs };
}

/** Returns the record; null when the run has not ended, or its end is unknown. */
export function readExitRecord(path: string): ExitRecord | null {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch (cause) {
    const { code = '', syscall = '' } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    if (code === 'EISDIR') throw new DamagedRecord(path);
    throw new TsdError('TSD_STATE_CORRUPT', `cannot read ${path}: ${code}`, {
      class: classOfErrnoName(code, syscall),
      step: 'read the exit record',
      cause,
    });
  }
  return parseExitRecord(text, path);
}
