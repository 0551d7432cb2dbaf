/** Tells its secret wherever it can. */
export const canaries = {
  tell: async (_, scope, call) => {
    const secret = await scope.secrets.get(scope.config.secret)
    const said = `the secret is ${secret}`
    scope.log.debug(said, { secret, nested: { list: [secret] } })
    scope.log.error(said)
    call.log.info(encodeURIComponent(said))
    call.progress?.(1, 2, said)
    return 'told'
  },
  tellInError: async (_, scope) => {
    const secret = await scope.secrets.get(scope.config.secret)
    throw Object.assign(new Error(`failed with ${secret}`), { code: 'TOLD', details: { secret } })
  },
  tellInCrash: async (_, scope) => {
    const secret = await scope.secrets.get(scope.config.secret)
    setImmediate(() => {
      throw new Error(`crashed with ${secret}`)
    })
    return new Promise(() => {})
  },
  /** As any program would, past what the platform gives. */
  print: async (_, scope) => {
    const secret = await scope.secrets.get(scope.config.secret)
    console.log(`printed ${secret}`)
    console.error(`printed ${secret}`)
    process.stdout.write(`written ${secret}\n`)
    return 'printed'
  },
  secretOf: ({ secret }, scope) => scope.secrets.get(secret),
  stateOf: async ({ key }, scope) => scope.state.get(key),
}
