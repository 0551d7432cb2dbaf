import { styleText } from 'node:util'

/** How words can stand out. */
export type Style = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold'

/** Words that stand out, where colours are wanted. */
export function highlight(terminal: { readonly colors: boolean }, style: Style, text: string): string {
  return terminal.colors ? styleText(style, text, { validateStream: false }) : text
}

/** What says whether colours are wanted. */
export interface ColorSigns {
  readonly stdout: { readonly isTTY?: boolean }
  readonly stderr: { readonly isTTY?: boolean }
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Whether this process's output is wanted in colours. Source: no-color.org, force-color.org. */
export function wantsColors({ stdout, stderr, env }: ColorSigns = process): boolean {
  if (env['NO_COLOR']) return false
  const forced = env['FORCE_COLOR']
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  return stdout.isTTY === true && stderr.isTTY === true && env['TERM'] !== 'dumb'
}
