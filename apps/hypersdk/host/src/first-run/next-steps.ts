/** What the lines are about; paths as one would type them here. */
export interface RunningPlaces {
  readonly url: string
  /** Undefined when the place is too deep for one. */
  readonly socket: string | undefined
  readonly token: string
  readonly folder: string
}

/** Lines to paste into another terminal while the daemon serves. */
export function nextSteps({ url, socket, token, folder }: RunningPlaces): string {
  const bearer = `-H "Authorization: Bearer $(cat ${token})" ${url}`
  const local = socket === undefined ? bearer : `--unix-socket ${socket} http://localhost`
  const variables = socket === undefined ? `HYPERSDK_URL=${url} HYPERSDK_TOKEN_FILE=${token}` : `HYPERSDK_SOCKET=${socket}`
  return `
Try in another terminal:

  curl ${local}/api/providers
  curl ${bearer}/api/providers/samples/vms
  curl ${local}/jobs/submit -H 'Content-Type: application/yaml' --data-binary '
    provider: samples
    vm_id: sample-server.raw
    format: raw
    compress: true'

  export ${variables}
  npm run hyperctl -- providers
  npm run hyperctl -- submit --provider samples --vm sample-server.raw --watch
  npm run hyperctl -- plugins list

Drop a plugin's folder into ${folder}/plugins and it is listed at once, without a restart.
The API is described by curl ${local}/openapi.json
Ctrl-C stops.
`
}
