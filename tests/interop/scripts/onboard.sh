#!/bin/sh
# A new service account and the role that its machines get, as an administrator's runbook has it.  Prints what it made.
set -eu
account=$(aws sts get-caller-identity --query Account --output text)

aws iam create-policy --policy-name invoices --path /billing/ --description "reads invoices" \
    --policy-document file://invoices.json --tags Key=team,Value=billing --query Policy.Arn --output text
policy="arn:aws:iam::$account:policy/billing/invoices"
aws iam wait policy-exists --policy-arn "$policy"

aws iam create-user --user-name billing-bot --path /billing/ --tags Key=team,Value=billing --query User.Arn --output text
aws iam wait user-exists --user-name billing-bot
aws iam attach-user-policy --user-name billing-bot --policy-arn "$policy"
aws iam create-group --group-name bots --query Group.GroupName --output text
aws iam add-user-to-group --group-name bots --user-name billing-bot
aws iam put-group-policy --group-name bots --policy-name self --policy-document file://self.json

aws iam create-role --role-name billing --path /billing/ --assume-role-policy-document file://trust.json \
    --max-session-duration 7200 --query Role.Arn --output text
aws iam wait role-exists --role-name billing
aws iam attach-role-policy --role-name billing --policy-arn "$policy"
aws iam put-role-permissions-boundary --role-name billing --permissions-boundary "$policy"

aws iam create-instance-profile --instance-profile-name billing --query InstanceProfile.Arn --output text
aws iam wait instance-profile-exists --instance-profile-name billing
aws iam add-role-to-instance-profile --instance-profile-name billing --role-name billing

aws iam create-account-alias --account-alias acme-billing
aws iam update-account-password-policy --minimum-password-length 16 --require-symbols --max-password-age 90
