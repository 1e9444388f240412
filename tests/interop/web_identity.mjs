// The AWS SDK for JavaScript with nothing but its environment: its own provider chain finds a web identity token.
// A line in asks for "key" or "who"; a line out is {answer}, an access key id or an ARN, or {error}.

import { createInterface } from "node:readline";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const sts = new STSClient({ maxAttempts: 1 });
const questions = {
  key: async () => (await sts.config.credentials()).accessKeyId,
  who: async () => (await sts.send(new GetCallerIdentityCommand({}))).Arn,
};
for await (const question of createInterface({ input: process.stdin })) {
  try {
    process.stdout.write(`${JSON.stringify({ answer: await questions[question]() })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: [error.Code ?? error.name, error.message] })}\n`);
  }
}
sts.destroy();
