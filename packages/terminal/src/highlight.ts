import { styleText } from 'node:util'

/** How words can stand out. */
export type Style = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold'

/** Words that stand out, where colours are wanted. */
export function highlight(terminal: { readonly colors: boolean }, style: Style, text: string): string {
  return terminal.colors ? styleText(style, text, { validateStream: false }) : text
}

/** Whether this process's output is wanted in colours. Source: no-color.org. */
export function wantsColors(): boolean {
  const { stdout, stderr, env } = process
  return !env['NO_COLOR'] && (env['FORCE_COLOR'] !== undefined || (stdout.isTTY && stderr.isTTY))
}
