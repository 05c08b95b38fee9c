/** Platforms as images name them: `os/architecture[/variant]`. */

/** @param nodeArchitecture `process.arch` */
export function goArchitecture(nodeArchitecture: string): string {
  return nodeArchitecture === 'x64' ? 'amd64' : nodeArchitecture;
}

/** The build arguments that are always there. */
export function platformArgs(target: string, build: string): Readonly<Record<string, string>> {
  const of = (prefix: string, platform: string): [string, string][] => {
    const [os = '', architecture = '', variant = ''] = platform.split('/');
    return [
      [`${prefix}PLATFORM`, platform],
      [`${prefix}OS`, os],
      [`${prefix}ARCH`, architecture],
      [`${prefix}VARIANT`, variant],
    ];
  };
  return Object.fromEntries([...of('TARGET', target), ...of('BUILD', build)]);
}
