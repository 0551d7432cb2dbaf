/**
 * Keeps the process alive when nobody reads its output any more: a closed pipe or terminal loses lines, and says so with
 * an error event that would otherwise end the process.
 */
export function outliveOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
}
