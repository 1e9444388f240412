// Runs commands with the AWS SDK for JavaScript: one JSON object a line in, one a line out.
// In: {service, endpoint, region, credentials, operation, parameters}.  Out: {answer} or {error}.

import { createInterface } from "node:readline";
import * as iam from "@aws-sdk/client-iam";
import * as sts from "@aws-sdk/client-sts";

const SERVICES = { iam: [iam, iam.IAMClient], sts: [sts, sts.STSClient] };
const clients = new Map();

function clientFor({ service, endpoint, region, credentials }) {
  const key = JSON.stringify([service, endpoint, region, credentials]);
  if (!clients.has(key)) {
    const [, Client] = SERVICES[service];
    clients.set(key, new Client({ endpoint, region, credentials, maxAttempts: 1 }));
  }
  return clients.get(key);
}

async function run(request) {
  try {
    const [commands] = SERVICES[request.service];
    const command = new commands[`${request.operation}Command`](request.parameters);
    const { $metadata, ...answer } = await clientFor(request).send(command);
    return { answer, requestId: $metadata.requestId };
  } catch (error) {
    return {
      error: {
        code: error.Code ?? error.name,
        message: error.message,
        fault: error.$fault,
        status: error.$metadata?.httpStatusCode,
        requestId: error.$metadata?.requestId,
      },
    };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line)))}\n`);
}
for (const client of clients.values()) client.destroy();
