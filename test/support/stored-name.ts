/** The name under which an image of Docker Hub is kept, as Docker 1.4 keeps it: without the registry and its library. */
export const storedName = (reference: string): string => reference.replace(/^docker\.io\/(library\/)?/, '');
