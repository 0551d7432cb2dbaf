/** Package conditions the host runs with, so that its packages resolve in the guest as they do here. */
export function hostConditions(execArgv: readonly string[]): readonly string[] {
  return execArgv.flatMap((option, index) => {
    if (option.startsWith('--conditions=')) return [option]
    const next = execArgv[index + 1]
    return (option === '--conditions' || option === '-C') && next !== undefined ? [`--conditions=${next}`] : []
  })
}
