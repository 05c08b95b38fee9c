import { type DockerfilePlace, dockerfileError } from './place.ts';
import { type SubstituteOptions, substituteWord, substituteWords, WordError } from './substitute.ts';

type Lookup = (name: string) => string | undefined;

/** Puts variables into an instruction's text; what is wrong with it is an error at the instruction. */
export class Expander {
  readonly #escapeCharacter: SubstituteOptions['escapeCharacter'];
  readonly #lookup: Lookup;

  constructor(escapeCharacter: SubstituteOptions['escapeCharacter'], lookup: Lookup) {
    this.#escapeCharacter = escapeCharacter;
    this.#lookup = lookup;
  }

  /** The text as one word. @throws TSD_DOCKERFILE. */
  word(text: string, place: DockerfilePlace): string {
    return this.#at(place, (options) => substituteWord(text, options));
  }

  /** The text parted at white space outside of quotes; an empty variable leaves an empty word. @throws TSD_DOCKERFILE. */
  words(text: string, place: DockerfilePlace): string[] {
    return this.#at(place, (options) => substituteWords(text, options));
  }

  /** The body of a here-document: quotes are text. @throws TSD_DOCKERFILE. */
  body(text: string, place: DockerfilePlace): string {
    return this.#at(place, (options) => substituteWord(text, { ...options, keepQuotes: true }));
  }

  #at<T>(place: DockerfilePlace, work: (options: SubstituteOptions) => T): T {
    try {
      return work({ escapeCharacter: this.#escapeCharacter, lookup: this.#lookup });
    } catch (thrown) {
      if (thrown instanceof WordError) throw dockerfileError(place, thrown.message);
      throw thrown;
    }
  }
}
