#!/bin/sh
# Everything of onboard.sh taken away again, in the only order that works.
set -eu
account=$(aws sts get-caller-identity --query Account --output text)
policy="arn:aws:iam::$account:policy/billing/invoices"

aws iam remove-role-from-instance-profile --instance-profile-name billing --role-name billing
aws iam delete-instance-profile --instance-profile-name billing
aws iam delete-role-permissions-boundary --role-name billing
for arn in $(aws iam list-attached-role-policies --role-name billing --query 'AttachedPolicies[].PolicyArn' --output text); do
    aws iam detach-role-policy --role-name billing --policy-arn "$arn"
done
aws iam delete-role --role-name billing

for name in $(aws iam list-groups-for-user --user-name billing-bot --query 'Groups[].GroupName' --output text); do
    aws iam remove-user-from-group --group-name "$name" --user-name billing-bot
done
aws iam delete-group-policy --group-name bots --policy-name self
aws iam delete-group --group-name bots
aws iam detach-user-policy --user-name billing-bot --policy-arn "$policy"
aws iam delete-user --user-name billing-bot

for version in $(aws iam list-policy-versions --policy-arn "$policy" \
        --query 'Versions[?!IsDefaultVersion].VersionId' --output text); do
    aws iam delete-policy-version --policy-arn "$policy" --version-id "$version"
done
aws iam delete-policy --policy-arn "$policy"
aws iam delete-account-alias --account-alias acme-billing
aws iam delete-account-password-policy
