//! The JSON Schema of a credit application, out of the same names and bounds that validation uses.

use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Object, ObjectBuilder, Ref, RefOr, Schema, Type,
        schema::{AdditionalProperties, KnownFormat, SchemaFormat},
    },
};

use super::{
    application::{AgeInYears, CreditApplication, InstallmentRate},
    category::{Category, ForeignWorker, PersonalStatusAndSex, PresentEmploymentSince},
};

impl PartialSchema for InstallmentRate {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Double)))
            .description(Some(
                "The instalment as a fraction of disposable income: 0.25 is 25 %. The model sees it in the four bands of the \
                 data set: 0.35 and more, from 0.25, from 0.20, less than 0.20.",
            ))
            .exclusive_minimum(Some(0))
            .maximum(Some(1))
            .build()
            .into()
    }
}

impl ToSchema for InstallmentRate {}

impl PartialSchema for AgeInYears {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .description(Some("The applicant's age in whole years."))
            .minimum(Some(18))
            .maximum(Some(120))
            .build()
            .into()
    }
}

impl ToSchema for AgeInYears {}

impl PartialSchema for CreditApplication {
    fn schema() -> RefOr<Schema> {
        fn field<T: ToSchema>(object: ObjectBuilder, name: &str) -> ObjectBuilder {
            object.property(name, Ref::from_schema_name(T::name())).required(name)
        }
        let mut object =
            ObjectBuilder::new().description(Some("A credit application: all five fields, and no others."));
        object = field::<InstallmentRate>(object, InstallmentRate::FIELD);
        object = field::<AgeInYears>(object, AgeInYears::FIELD);
        object = field::<ForeignWorker>(object, ForeignWorker::FIELD);
        object = field::<PresentEmploymentSince>(object, PresentEmploymentSince::FIELD);
        object = field::<PersonalStatusAndSex>(object, PersonalStatusAndSex::FIELD);
        let object: Object = object
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .examples([json!({
                InstallmentRate::FIELD: 0.25,
                AgeInYears::FIELD: 30,
                ForeignWorker::FIELD: "yes",
                PresentEmploymentSince::FIELD: "unemployed",
                PersonalStatusAndSex::FIELD: "male: single",
            })])
            .build();
        object.into()
    }
}

impl ToSchema for CreditApplication {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
            schemas.push((T::name().into_owned(), T::schema()));
        }
        add::<InstallmentRate>(schemas);
        add::<AgeInYears>(schemas);
        add::<ForeignWorker>(schemas);
        add::<PresentEmploymentSince>(schemas);
        add::<PersonalStatusAndSex>(schemas);
    }
}
