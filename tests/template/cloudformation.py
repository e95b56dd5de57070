"""Emulates CloudFormation's processing of template.yaml and its nested stacks without AWS: checks parameters and rules, runs the SAM
transform (aws-sam-translator, as AWS does), and removes the resources whose conditions are false.
"""

import logging
import re
from pathlib import Path

from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ROOT = Path(__file__).resolve().parents[2]
NO_VALUE = object()
PACKAGED = "https://s3.amazonaws.com/artifacts/"

# It warns about metrics that only AWS collects.
logging.getLogger("samtranslator").setLevel(logging.ERROR)


class Refused(Exception):
    """CloudFormation would refuse this configuration; `by` names the rule or parameter."""

    def __init__(self, by, why):
        super().__init__(f"{by}: {why}")
        self.by = by


def load(path="template.yaml"):
    return yaml_parse((ROOT / path).read_text())


def with_defaults(template, given):
    """The value of each parameter, as text, like CloudFormation receives them."""
    declared = template["Parameters"]
    if unknown := given.keys() - declared.keys():
        raise KeyError(f"template.yaml has no parameter {', '.join(sorted(unknown))}")
    values = {}
    for name, parameter in declared.items():
        value = str(given.get(name, parameter["Default"]))
        allowed = [str(one) for one in parameter.get("AllowedValues", [value])]
        low, high = parameter.get("MinValue"), parameter.get("MaxValue")
        if value not in allowed or not re.fullmatch(parameter.get("AllowedPattern", ".*"), value):
            raise Refused(name, f"{value!r} is not allowed")
        if parameter["Type"] == "Number" and not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
            raise Refused(name, f"{value!r} is not a number")
        if (low is not None and float(value) < low) or (high is not None and float(value) > high):
            raise Refused(name, f"{value} is out of bounds")
        values[name] = value
    return values


def holds(condition, values, conditions):
    """Whether a condition or an assertion is true."""
    ((function, argument),) = condition.items()

    def text(operand):
        return values[operand["Ref"]] if isinstance(operand, dict) else str(operand)

    def each():
        return [holds(one, values, conditions) for one in argument]

    match function:
        case "Condition":
            return holds(conditions[argument], values, conditions)
        case "Fn::Equals":
            return text(argument[0]) == text(argument[1])
        case "Fn::Contains":
            return text(argument[1]) in map(text, argument[0])
        case "Fn::Not":
            return not each()[0]
        case "Fn::And":
            return all(each())
        case "Fn::Or":
            return any(each())
    raise NotImplementedError(function)


def check_rules(template, values):
    for name, rule in template["Rules"].items():
        if "RuleCondition" in rule and not holds(rule["RuleCondition"], values, {}):
            continue
        for assertion in rule["Assertions"]:
            if not holds(assertion["Assert"], values, {}):
                raise Refused(name, assertion["AssertDescription"])


class Evaluation:
    """Replaces conditions, mappings and references to parameters with their values."""

    def __init__(self, template, values):
        conditions = template.get("Conditions", {})
        # A nested stack's parameter may have a value that only AWS knows; it is not empty, and remains a reference.
        self.values = {name: value for name, value in values.items() if isinstance(value, str)}
        self.mappings = template.get("Mappings", {})
        self.true = {name: holds(condition, values, conditions) for name, condition in conditions.items()}

    def of(self, node):
        if isinstance(node, list):
            return [value for value in map(self.of, node) if value is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            match function:
                case "Fn::If":
                    name, then, otherwise = argument
                    return self.of(then if self.true[name] else otherwise)
                case "Ref":
                    return NO_VALUE if argument == "AWS::NoValue" else self.values.get(argument, node)
                case "Fn::FindInMap":
                    name, *keys = map(self.of, argument)
                    return self.mappings[name][keys[0]][keys[1]]
                case "Fn::Split":
                    delimiter, text = map(self.of, argument)
                    return text.split(delimiter) if isinstance(text, str) else {function: [delimiter, text]}
                case "Fn::Select":
                    position, items = self.of(argument)
                    known = isinstance(items, list) and isinstance(items[int(position)], str)
                    return items[int(position)] if known else {function: [position, items]}
                case "Fn::Sub":
                    return self.substituted(argument)
        return {key: value for key, value in ((key, self.of(value)) for key, value in node.items()) if value is not NO_VALUE}

    def substituted(self, argument):
        """Substitutes parameters and variables that have resolved to text; values that only AWS knows remain references."""
        text, variables = argument if isinstance(argument, list) else (argument, {})
        variables = {name: inlined(self.of(value)) for name, value in variables.items()}
        known = self.values | {name: value for name, value in variables.items() if isinstance(value, str)}
        text = re.sub(r"\$\{([^}!]+)\}", lambda found: known.get(found[1], found[0]), text)
        rest = {name: value for name, value in variables.items() if name not in known}
        if "${" not in text:
            return text
        return {"Fn::Sub": [text, rest] if rest else text}

    def present(self, section):
        """The entries of a section whose condition is true, with the condition removed."""
        kept = {}
        for name, entry in section.items():
            condition = entry.get("Condition")
            if condition is None or self.true[condition]:
                kept[name] = self.of({key: value for key, value in entry.items() if key != "Condition"})
        return kept


def inlined(value):
    """The text of an Fn::Sub without variables of its own, which can be inlined into another."""
    return value["Fn::Sub"] if isinstance(value, dict) and isinstance(value.get("Fn::Sub"), str) else value


def transformed(given):
    """The template after the transform. The version's logical id ends with a digest of the template, so it is replaced and returned
    as `VersionId` in the second result.
    """
    template = load()
    values = with_defaults(template, given)
    check_rules(template, values)
    # As `sam package` would.
    template["Resources"]["PredictOnce"]["Properties"]["CodeUri"] = "s3://artifacts/predict-once.zip"
    for resource in nested_in(template).values():
        resource["Properties"]["TemplateURL"] = PACKAGED + resource["Properties"]["TemplateURL"]
    translator = Translator({}, Parser())
    result = translator.translate(template, values, passthrough_metadata=True)
    evaluation = Evaluation(load(), values)
    resources = evaluation.present(result["Resources"])
    (version,) = [name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::Version"]
    sections = {"AWSTemplateFormatVersion": result["AWSTemplateFormatVersion"], "Description": result["Description"]}
    sections |= {"Resources": resources, "Outputs": evaluation.present(result["Outputs"])}
    return renamed(sections, version, "PredictOnceVersion"), {"VersionId": version}


def nested_in(template):
    return {name: one for name, one in template["Resources"].items() if one["Type"] == "AWS::CloudFormation::Stack"}


def stacks(given):
    """The template of the root stack, under "", and of each nested stack."""
    root, _ = transformed(given)
    found = {"": root}
    for name, resource in nested_in(root).items():
        properties = resource["Properties"]
        found[name] = evaluated(load(properties["TemplateURL"].removeprefix(PACKAGED)), properties["Parameters"])
    return found


def evaluated(template, given):
    """A nested stack's template with these parameters. Parameters whose values only AWS knows remain."""
    if given.keys() != template["Parameters"].keys():
        raise KeyError(f"{template['Description']}: parameters {given.keys() ^ template['Parameters'].keys()}")
    evaluation = Evaluation(template, given)
    unknown = {name: dict(one) for name, one in template["Parameters"].items() if not isinstance(given[name], str)}
    sections = {"AWSTemplateFormatVersion": template["AWSTemplateFormatVersion"], "Description": template["Description"]}
    sections |= {"Parameters": unknown} if unknown else {}
    sections |= {"Resources": evaluation.present(template["Resources"])}
    return sections | ({"Outputs": evaluation.present(template["Outputs"])} if "Outputs" in template else {})


def renamed(node, old, new):
    if isinstance(node, list):
        return [renamed(one, old, new) for one in node]
    if isinstance(node, dict):
        return {(new if key == old else key): renamed(value, old, new) for key, value in node.items()}
    return new if node == old else node
