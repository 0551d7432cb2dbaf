export { didYouMean, nearestName } from '@backplane/sdk'
