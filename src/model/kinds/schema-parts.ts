import { z } from 'zod';
import type { Parsed } from './short-forms.ts';

/** A schema whose input is a short form and whose output is the data it means. */
export function shortForm<In extends z.ZodType, Out>(input: In, parse: (written: z.output<In>) => Parsed<Out>) {
  return input.transform((written, context): Out => {
    const result = parse(written);
    if (result.ok) return result.value;
    context.addIssue({ code: 'custom', message: result.message });
    return z.NEVER;
  });
}

/** Text; a number or boolean of a JSON client is taken as its text. YAML scalars arrive as they were written. */
export const scalarText = () =>
  z.union([z.string(), z.number(), z.boolean()], { error: 'expected text' }).transform(String);

/** Text or a number; the parser of the short form distinguishes them. */
export const textOrNumber = () => z.union([z.string(), z.number()], { error: 'expected text or a number' });

/** A field that may be left out; null then. */
export const orNull = <T extends z.ZodType>(schema: T) => schema.optional().transform((value) => value ?? null);

export const booleanField = (value = false) => z.boolean().default(value);

export const listOf = <T extends z.ZodType>(item: T) => z.array(item).prefault([]);

/** The key of a map that becomes an environment variable, label or option: without control characters and `=`. */
const mapKey = z.string().regex(/^[^\p{Cc}=]+$/u, 'a name cannot be empty and cannot hold "=" or control characters');

export const mapOf = <T extends z.ZodType>(value: T) => z.record(mapKey, value).prefault({});

export const labels = () => mapOf(scalarText());

/** Text without NUL, which would end it early in the kernel. */
export const kernelText = () => scalarText().refine((text) => !text.includes('\0'), 'text cannot contain a NUL byte');

/** A command line: a list is used as it is, a text is run by the shell. */
export const commandLine = () =>
  orNull(
    z
      .union([z.array(kernelText()), z.string()], { error: 'expected a list of texts, or one text for the shell' })
      .transform((written): string[] => (typeof written === 'string' ? ['/bin/sh', '-c', written] : written)),
  );

export const absolutePath = () =>
  z.string().refine((path) => path.startsWith('/') && !path.includes('\0'), 'expected an absolute path');

/** A path on the host; relative ones start at the manifest's directory. */
export const hostPath = () => z.string().refine((path) => path !== '' && !path.includes('\0'), 'expected a path');
