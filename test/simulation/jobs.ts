/** The search for trouble on several processors: one process each, with seeds of their own. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import PQueue from 'p-queue';

const LOADER = resolve(import.meta.dirname, '../support/run-typescript.mjs');
const CLI = resolve(import.meta.dirname, 'cli.ts');

export interface JobsOptions {
  readonly seed: string;
  /** Of all together. */
  readonly ops: number;
  /** Each has a seed of its own: with the same number the scripts are the same, however many run side by side. */
  readonly jobs: number;
  /** At a time. */
  readonly atOnce: number;
  /** Where a job that found something writes its shrunk script; the job's number is added. */
  readonly trace: string;
  /** Clients of the Docker API take part. */
  readonly clients?: boolean;
}

export interface JobResult {
  readonly status: number;
  readonly output: string;
}

function runJob({ seed, ops, jobs, trace, clients = false }: JobsOptions, job: number): Promise<JobResult> {
  const share = Math.ceil(ops / jobs);
  const args = [
    '--ops',
    String(share),
    '--seed',
    `${seed}-${job}`,
    '--jobs',
    '1',
    '--trace',
    `${trace}.${job}`,
    ...(clients ? ['--clients'] : []),
  ];
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, ['--import', LOADER, CLI, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', failed);
    child.once('close', (code) => done({ status: code ?? 1, output: Buffer.concat(chunks).toString() }));
  });
}

/** Runs the jobs, and resolves with what each said when all have ended. */
export function runJobs(options: JobsOptions): Promise<readonly JobResult[]> {
  const queue = new PQueue({ concurrency: options.atOnce });
  return Promise.all(Array.from({ length: options.jobs }, (_, job) => queue.add(() => runJob(options, job))));
}
