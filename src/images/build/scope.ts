/** Arguments and variables of a stage. */

import { Expander } from '../../model/dockerfile/expand.ts';
import type { Instruction } from '../../model/dockerfile/instruction.ts';
import { type Dockerfile, readArgs } from '../../model/dockerfile/stages.ts';
import { own } from '../../model/own.ts';
import { envOf, type RawConfig } from './config.ts';

/** Arguments that need no ARG and change no cache key, from the Dockerfile reference. */
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];
const UNDECLARED: ReadonlySet<string> = new Set([...PROXIES, ...PROXIES.map((name) => name.toLowerCase())]);

export class StageScope {
  readonly #dockerfile: Dockerfile;
  readonly #given: Readonly<Record<string, string>>;
  readonly #platform: Readonly<Record<string, string>>;
  readonly #args = new Map<string, string>();

  constructor(
    dockerfile: Dockerfile,
    given: Readonly<Record<string, string>>,
    platform: Readonly<Record<string, string>>,
  ) {
    this.#dockerfile = dockerfile;
    this.#given = given;
    this.#platform = platform;
  }

  /** ARG: from here on the argument has its value. */
  declare(instruction: Instruction, config: RawConfig): void {
    for (const { name, value } of readArgs(instruction, this.expander(config))) {
      const known =
        own(this.#given, name) ?? value ?? this.#dockerfile.globalArgs.get(name) ?? own(this.#platform, name);
      if (known !== undefined) this.#args.set(name, known);
    }
  }

  /** A variable of ENV hides an argument of its name. */
  expander(config: RawConfig): Expander {
    const env = variables(config);
    return new Expander(this.#dockerfile.escapeCharacter, (name) => env.get(name) ?? this.#args.get(name));
  }

  /** Arguments that a command sees as variables, and that its outcome may depend on; sorted. */
  visible(config: RawConfig): [name: string, value: string][] {
    const env = variables(config);
    return [...this.#args].filter(([name]) => !env.has(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Variables of a command: those of the image, arguments, proxies. */
  environment(config: RawConfig): string[] {
    const proxies = Object.entries(this.#given).filter(([name]) => UNDECLARED.has(name) && !this.#args.has(name));
    return [...[...proxies, ...this.visible(config)].map(([name, value]) => `${name}=${value}`), ...envOf(config)];
  }
}

function variables(config: RawConfig): Map<string, string> {
  return new Map(
    envOf(config).map((variable) => {
      const equals = variable.indexOf('=');
      return [variable.slice(0, equals), variable.slice(equals + 1)];
    }),
  );
}

/** Given arguments that nothing declares. */
export function unusedArgs(
  { stages, globalArgs, escapeCharacter }: Dockerfile,
  given: Readonly<Record<string, string>>,
): string[] {
  const declared = new Set([...globalArgs.keys(), ...UNDECLARED, 'SOURCE_DATE_EPOCH']);
  const expander = new Expander(escapeCharacter, () => '');
  for (const instruction of stages.flatMap(({ instructions }) => instructions)) {
    if (instruction.keyword === 'ARG') for (const { name } of readArgs(instruction, expander)) declared.add(name);
  }
  return Object.keys(given).filter((name) => !declared.has(name));
}
