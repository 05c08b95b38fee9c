/** Names of others in the form that ours have. */

/** The closest name that our resources may have; null when the text has no usable character. */
export function safeName(text: string): string | null {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 63)
    .replace(/-+$/, '');
  return name === '' ? null : name;
}

const isRegistry = (part: string): boolean => /[.:]/.test(part) || part === 'localhost';

/**
 * An image's full name, by the rules of the Docker reference grammar: Docker Hub where no registry is named, its `library`
 * for a single word, `latest` where there is neither tag nor digest.
 */
export function imageReference(written: string): string {
  const text = written.trim().replace(/^docker:\/\//, '');
  const [first = '', ...rest] = text.split('/');
  const qualified =
    rest.length > 0 && isRegistry(first) ? text : `docker.io/${rest.length === 0 ? 'library/' : ''}${text}`;
  const last = qualified.slice(qualified.lastIndexOf('/') + 1);
  return /[:@]/.test(last) ? qualified : `${qualified}:latest`;
}
