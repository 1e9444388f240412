#!/bin/sh
# A user's access key replaced without a gap: a second key, the first one switched off, then taken away.
set -eu
user=$1
old=$(aws iam list-access-keys --user-name "$user" --query 'AccessKeyMetadata[0].AccessKeyId' --output text)
new=$(aws iam create-access-key --user-name "$user" --query 'AccessKey.[AccessKeyId,SecretAccessKey]' --output text)
aws iam update-access-key --user-name "$user" --access-key-id "$old" --status Inactive
key=$(printf %s "$new" | cut -f1)
AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$(printf %s "$new" | cut -f2) \
    aws sts get-caller-identity --query Arn --output text
aws iam delete-access-key --user-name "$user" --access-key-id "$old"
aws iam list-access-keys --user-name "$user" --query 'AccessKeyMetadata[].[AccessKeyId,Status]' --output text
