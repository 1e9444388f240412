"""Which role a service makes for itself: the table of services that locum ships, and how operators extend it.

Taken from the services' own pages on their service-linked roles (IAM-SHD-002).  Of most services there is one role; a
few let the same role be made again under a suffix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

__all__ = ["SERVICES", "LinkedService", "extended", "service_of"]

_ROOT: Final = "/aws-service-role/"
"""How the path of every service-linked role begins (IAM-ROL-031)."""

_AUTO_SCALING: Final = "AWSServiceRoleForApplicationAutoScaling_"


class LinkedService(msgspec.Struct, frozen=True):
    """A service with the name of its role; ``suffix`` tells whether that can be had more than once."""

    principal: str
    role: str
    suffix: bool = False

    @property
    def path(self) -> str:
        """The path of its role."""
        return f"{_ROOT}{self.principal}/"

    def name(self, suffix: str | None) -> str:
        """The name of its role."""
        return self.role if suffix is None else f"{self.role}_{suffix}"


_SHIPPED: Final = (
    *("access-analyzer AccessAnalyzer", "acm CertificateManager", "appmesh AppMesh", "autoscaling AutoScaling +"),
    *("autoscaling-plans AutoScalingPlans_EC2AutoScaling", "backup Backup", "batch Batch"),
    *("cks.kms KeyManagementServiceCustomKeyStores", "cloudtrail CloudTrail", "config Config"),
    *("compute-optimizer ComputeOptimizer", "connect AmazonConnect +", "dax DAX", "docdb-elastic DocDB-Elastic"),
    *("ec2-instance-connect Ec2InstanceConnect", "ec2scheduled EC2ScheduledInstances", "ecs ECS"),
    *("eks AmazonEKS", "eks-connector AmazonEKSConnector", "eks-fargate AmazonEKSForFargate"),
    *("eks-nodegroup AmazonEKSNodegroup", "elasticache ElastiCache", "elasticbeanstalk ElasticBeanstalk"),
    *("elasticfilesystem AmazonElasticFileSystem", "elasticloadbalancing ElasticLoadBalancing"),
    *("elasticmapreduce EMRCleanup", "es AmazonElasticsearchService", "fms FMS", "fis FIS", "fsx AmazonFSx"),
    *("globalaccelerator GlobalAccelerator", "grafana AmazonGrafana", "guardduty AmazonGuardDuty"),
    *("imagebuilder ImageBuilder", "inspector2 AmazonInspector2", "kafka Kafka", "kafkaconnect KafkaConnect"),
    *(
        "lakeformation LakeFormationDataAccess",
        "lex LexBots",
        "lexv2 LexV2Bots +",
        "license-manager AWSLicenseManagerRole",
    ),
    *("lightsail Lightsail", "delivery.logs LogDelivery", "logger.cloudfront CloudFrontLogger", "macie AmazonMacie"),
    *("memorydb MemoryDB", "mq AmazonMQ", "mrk.kms KeyManagementServiceMultiRegionKeys"),
    *("network-firewall NetworkFirewall", "networkmanager NetworkManager"),
    *("opensearchservice AmazonOpenSearchService", "ops.apigateway APIGateway"),
    *("ops.emr-serverless AmazonEMRServerless", "organizations Organizations"),
    *("pullthroughcache.ecr ECRPullThroughCache", "ram ResourceAccessManager", "rds RDS", "redshift Redshift"),
    *("replication.ecr ECRReplication", "replicator.lambda LambdaReplicator"),
    *("resource-explorer-2 ResourceExplorer", "rolesanywhere RolesAnywhere", "securityhub SecurityHub"),
    *("servicecatalog-appregistry AWSServiceCatalogAppRegistry", "servicequotas ServiceQuotas", "ses AmazonSES"),
    *("shield AWSShield", "spot EC2Spot", "spotfleet EC2SpotFleet", "ssm AmazonSSM", "sso SSO"),
    *("ssm-incidents IncidentManager", "support Support", "transitgateway VPCTransitGateway"),
    *("trustedadvisor TrustedAdvisor", "wafv2 WAFV2Logging", "waf WAFLogging", "waf-regional WAFRegionalLogging"),
    *("accountdiscovery.ssm AmazonSSM_AccountDiscovery", "codestar-notifications CodeStarNotifications"),
    *("dms-fleet-advisor DMSFleetAdvisor", "dms DMSServerless", "ecr ECRTemplate"),
    *("email.cognito-idp AmazonCognitoIdpEmailService", "emr-containers AmazonEMRContainers", "emrwal EMRWAL"),
    *("iotmanagedintegrations IoTManagedIntegrations", "m2 AWSM2", "notifications AwsUserNotifications"),
    *("observability.aoss AmazonOpenSearchServerless", "opsdatasync.ssm SystemsManagerOpsDataSync"),
    *("opsinsights.ssm AmazonSSM_OpsInsights", "replication.cassandra KeyspacesReplication"),
    *("repository.sync.codeconnections GitSync", "s3-outposts S3OnOutposts", "ssm-quicksetup SSMQuickSetup"),
    *("vpcorigin.cloudfront CloudFrontVPCOrigin",),
)
"""The service, the end of its role's name, and ``+`` where suffixes are allowed."""

_SCALED: Final = (
    *("appstream AppStreamFleet", "cassandra CassandraTable", "comprehend ComprehendEndpoint", "kafka KafkaCluster"),
    *("custom-resource CustomResource", "dynamodb DynamoDBTable", "ec2 EC2SpotFleetRequest", "ecs ECSService"),
    *("elasticache ElastiCacheRG", "lambda LambdaConcurrency", "neptune NeptuneCluster", "rds RDSCluster"),
    *("sagemaker SageMakerEndpoint",),
)
"""What Application Auto Scaling has a role for, and the end of its name."""


def _table() -> Mapping[str, LinkedService]:
    services = {}
    for row in _SHIPPED:
        name, role, *suffix = row.split()
        principal = f"{name}.amazonaws.com"
        services[principal] = LinkedService(principal, f"AWSServiceRoleFor{role}", bool(suffix))
    for row in _SCALED:
        name, role = row.split()
        principal = f"{name}.application-autoscaling.amazonaws.com"
        services[principal] = LinkedService(principal, f"{_AUTO_SCALING}{role}")
    return MappingProxyType(services)


SERVICES: Final = _table()
"""Principal of the service → its role, as shipped."""


def extended(more: Iterable[LinkedService]) -> Mapping[str, LinkedService]:
    """The table with an operator's own services, which stand before those of the same principal."""
    return MappingProxyType({**SERVICES, **{each.principal: each for each in more}})


def service_of(path: str) -> str | None:
    """The service that a role under this path is linked to, None for a role that is linked to none (IAM-ROL-031)."""
    service = path.removeprefix(_ROOT).removesuffix("/")
    return service if path.startswith(_ROOT) and service and "/" not in service else None
