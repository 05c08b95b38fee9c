import type { ImageSource, LoadContext, LoadedImage } from '../image.ts';
import { DirectoryFiles } from './image-files.ts';
import { loadOci } from './oci.ts';

type LayoutSource = Extract<ImageSource, { type: 'layout' }>;

/** Loads an image of an OCI image layout directory. */
export async function loadLayout({ path, ref }: LayoutSource, context: LoadContext): Promise<LoadedImage> {
  context.progress({ type: 'reading', what: path });
  return loadOci(new DirectoryFiles(path), ref, context);
}
