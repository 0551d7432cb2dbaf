/** Whether a promise settles within `ms`. The wait does not keep the process alive. */
export async function settledWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<false>()
  const timer = setTimeout(() => late.resolve(false), ms)
  try {
    return await Promise.race([promise.then(always, always), late.promise])
  } finally {
    clearTimeout(timer)
  }
}

function always(): true {
  return true
}
