/** Finds the route of a method and path. */
import { DockerError } from './docker-error.ts';
import type { DockerRoute } from './route.ts';
import type { Versioned } from './versions.ts';

interface Compiled {
  readonly route: DockerRoute;
  readonly pattern: RegExp;
  readonly names: readonly string[];
}

export interface Found {
  readonly route: DockerRoute;
  readonly params: Readonly<Record<string, string>>;
}

function compile(route: DockerRoute): Compiled {
  const names: string[] = [];
  const source = route.path.replaceAll(/\{(\w+)(\+?)\}/g, (_, name: string, several: string) => {
    names.push(name);
    return several === '' ? '([^/]+)' : '(.+)';
  });
  return { route, pattern: new RegExp(`^${source}/?$`), names };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new DockerError(400, `invalid URL escape in ${JSON.stringify(text)}`);
  }
}

export class DockerRouter {
  readonly #byMethod = new Map<string, Compiled[]>();

  constructor(routes: readonly DockerRoute[]) {
    for (const one of routes) {
      const known = this.#byMethod.get(one.method) ?? [];
      this.#byMethod.set(one.method, [...known, compile(one)]);
    }
  }

  /** @throws DockerError 404 for what no version has, 400 for what the version of the client does not have */
  find(method: string, { path, minor }: Versioned): Found {
    for (const { route, pattern, names } of this.#byMethod.get(method) ?? []) {
      const found = pattern.exec(path);
      if (found === null) continue;
      if (route.since !== undefined && minor < route.since)
        throw new DockerError(400, `${method} ${path} requires minimum API version 1.${route.since}`);
      return { route, params: Object.fromEntries(names.map((name, at) => [name, decode(found[at + 1] ?? '')])) };
    }
    throw new DockerError(404, 'page not found');
  }
}
