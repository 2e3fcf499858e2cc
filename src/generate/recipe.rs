//! What a clean value of each key is made from, decided once per key by its kind and its name.

use crate::catalog::{Kind, V1Key};

use super::words;

/// How a clean value is made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Recipe {
    /// The id of the row.
    RowId,
    /// A whole number between two.
    Int(i64, i64),
    /// Milliseconds since 1970: when the row was made.
    Created,
    /// Milliseconds since 1970: later than that.
    Later,
    Date,
    Email,
    Text(Text),
    Bool,
    Reference(Target),
    Password,
    Object(Shape),
    Word(&'static [&'static str]),
    Uuid(Option<Target>),
    File,
    List(Items),
    Decimal(Amount),
    ObjectOrBool,
    Geo,
}

/// What a text says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    FirstName,
    LastName,
    FullName,
    /// The name of another person.
    OtherName,
    /// A given name of no other key.
    MiddleName,
    AgentName,
    SponsorName,
    Email,
    Phone,
    Address,
    Street,
    Unit,
    City,
    State,
    StateAbbreviation,
    County,
    Zip,
    Country,
    Url,
    Slug,
    Birthdate,
    /// The ids from a root to the row's agent.
    Path,
    /// One of some words.
    OneOf(&'static [&'static str]),
    /// So many to so many words.
    Prose(u8, u8),
    /// A prefix and so many digits and capitals.
    Token(&'static str, u8),
}

/// What a reference refers to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// The agent of the row: itself, the owner, the participant's agent.
    Agent,
    /// Any agent.
    OtherAgent,
    /// The sponsor of the row's agent.
    Sponsor,
    /// The user in whose account the row's agent stands.
    User,
    /// The transaction of the row.
    Transaction,
    /// The row itself.
    Own,
    /// The sponsor of a network row, or 0 where the row holds no edge.
    LinkSponsor,
    /// The downline agent of a network row, likewise.
    LinkDownline,
    /// A row among so many of a table that is not part of the workspace's five.
    Elsewhere(u32),
}

/// What an object describes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Address,
    Party,
    Scores,
    Token,
}

/// What a list is of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Items {
    Numbers,
    Labels,
    Splits,
}

/// What a decimal measures: the range, and with it the digits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Amount {
    Money,
    Cap,
    Fee,
    Percent,
    Units,
    Latitude,
    Longitude,
}

impl Recipe {
    /// The recipe of a key of an entity's documents.
    pub(super) fn of(entity: &str, key: &V1Key) -> Self {
        let name = key.key.as_str();
        match key.kind {
            Kind::Integer if name == "id" => Self::RowId,
            Kind::Integer => {
                let (low, high) = int_range(name);
                Self::Int(low, high)
            }
            Kind::EpochMs if matches!(name, "created_at" | "createdAt") => Self::Created,
            Kind::EpochMs => Self::Later,
            Kind::Email => Self::Email,
            Kind::Text => Self::Text(text(entity, name)),
            Kind::Boolean => Self::Bool,
            Kind::Reference => Self::Reference(target(entity, name)),
            Kind::Date => Self::Date,
            Kind::PasswordHash => Self::Password,
            Kind::Object | Kind::Any => Self::Object(shape(name)),
            Kind::Enum => Self::Word(words::enum_values(entity, name)),
            Kind::Uuid => Self::Uuid(uuid_of(entity, name)),
            Kind::File => Self::File,
            Kind::Array => Self::List(items(name)),
            Kind::Decimal => Self::Decimal(amount(name)),
            Kind::ObjectOrBoolean => Self::ObjectOrBool,
            Kind::GeoPoint => Self::Geo,
        }
    }
}

fn int_range(key: &str) -> (i64, i64) {
    match key {
        "tier" => (1, 5),
        "level" => (1, 7),
        "confirmation_code" => (100_000, 999_999),
        "yearBuilt" => (1900, 2024),
        "annualCap" | "groupTeamCap" | "normalTeamLeadAnnualCap" => (4_000, 24_000),
        "leaderSplit" | "memberCommissionSplit" | "preCapRealCommissionSplit" => (0, 50),
        "sizeOfNetwork" | "network_size" | "login_count" => (0, 4_000),
        _ => (0, 200),
    }
}

fn text(entity: &str, key: &str) -> Text {
    match key {
        "first_name" | "firstName" => Text::FirstName,
        "last_name" | "lastName" => Text::LastName,
        "middle_name" | "middleName" => Text::MiddleName,
        "agent_name" if entity != "agents" => Text::AgentName,
        "transaction_owner_name" => Text::AgentName,
        "sponsorName" | "sponsoring_agent_name" => Text::SponsorName,
        "client_name" | "cdPayer_fullName" => Text::OtherName,
        "full_name" | "fullName" | "display_name" | "agent_name" | "downline_agent_name" => Text::FullName,
        "email2" => Text::Email,
        "cell_phone" | "phone" | "phoneNumber" | "leoPhone" | "client_phone" => Text::Phone,
        "address" if entity == "participants" => Text::Unit,
        "address_street" | "transaction_address" => Text::Street,
        "address" | "full_address" | "address_oneLine" => Text::Address,
        "address_street2" | "address_unit" | "office_address" => Text::Unit,
        "city" => Text::City,
        "state" => Text::State,
        "state_abbreviation" | "license_state" => Text::StateAbbreviation,
        "address_county" => Text::County,
        "zip" => Text::Zip,
        "country" => Text::Country,
        "avatar" | "website" => Text::Url,
        _ if key.ends_with("Url") => Text::Url,
        "slug" => Text::Slug,
        "birthdate" => Text::Birthdate,
        "path" => Text::Path,
        "title" => Text::OneOf(words::TITLES),
        "timezone" => Text::OneOf(words::TIMEZONES),
        "locale" => Text::OneOf(&["en-US", "en-CA", "fr-CA", "es-US"]),
        "currency" | "grossCommission_currency" => Text::OneOf(&["USD", "CAD"]),
        "default_page" => Text::OneOf(words::PAGES),
        "demo" => Text::OneOf(&["no", "yes"]),
        "type" => Text::OneOf(&["AGENT", "BROKER", "TEAM_ADMIN"]),
        "representedParty" => Text::OneOf(&["Buyer", "Seller", "Both"]),
        "source" | "sync_source" => Text::OneOf(words::SOURCES),
        "lead_source" | "lead_type" => Text::OneOf(words::LEADS),
        "company" | "organization" | "brokerage_name" | "team_name" | "office_name" => {
            Text::OneOf(words::COMPANIES)
        }
        "cdPayerBusinessEntity_name" => Text::OneOf(words::COMPANIES),
        "bio" | "about" => Text::Prose(5, 25),
        "notes" | "paymentInstructions" => Text::Prose(1, 10),
        "termination_reason" => Text::Prose(3, 9),
        "stripe_customer_id" => Text::Token("cus_", 14),
        "stripe_subscription_id" => Text::Token("sub_", 24),
        "api_key" => Text::Token("key_", 32),
        "slack_user_id" => Text::Token("U", 10),
        _ => Text::Token("", 10),
    }
}

fn target(entity: &str, key: &str) -> Target {
    match key {
        "transaction_id" => Target::Transaction,
        "user_id" | "admin_user_id" | "referred_by_user_id" => Target::User,
        "agent_id" | "transaction_owner_agent_id" => Target::Agent,
        "sponsorId" => Target::Sponsor,
        "team_owner_agent_id" | "director_id" | "leader_id" | "mentor_id" => Target::OtherAgent,
        "sponsoring_agent_id" => Target::LinkSponsor,
        "downline_agent_id" => Target::LinkDownline,
        "parent_id" if entity == "network" => Target::Own,
        "team_id" => Target::Elsewhere(900),
        "brokerage_id" | "commission_plan_id" => Target::Elsewhere(60),
        "stripe_product_id" | "stripe_price_id" | "subscription_packages_id" => Target::Elsewhere(12),
        "office_id" => Target::Elsewhere(300),
        _ => Target::Elsewhere(120_000),
    }
}

/// What a uuid identifies, so that it is the same wherever it stands; `None` for one that is met once.
fn uuid_of(entity: &str, key: &str) -> Option<Target> {
    match key {
        "agent_id_raw" | "transactionOwnerId" => Some(Target::Agent),
        "downline_agent_id_raw" => Some(Target::LinkDownline),
        "transaction_id_raw" => Some(Target::Transaction),
        "participant_id" if entity == "participants" => Some(Target::Own),
        _ => None,
    }
}

fn shape(key: &str) -> Shape {
    match key {
        "home_address" => Shape::Address,
        "profileScore" | "availability" | "dashboard_config" => Shape::Scores,
        "magic_link" | "password_reset" | "google_oauth" => Shape::Token,
        _ => Shape::Party,
    }
}

fn items(key: &str) -> Items {
    match key {
        "administrativeAreaIds" | "transactionCoordinators" => Items::Numbers,
        _ if key.ends_with("Splits") => Items::Splits,
        _ => Items::Labels,
    }
}

fn amount(key: &str) -> Amount {
    match key {
        "latitude" => Amount::Latitude,
        "longitude" => Amount::Longitude,
        "buyer_side_units" | "list_side_units" => Amount::Units,
        "sponsor_split" => Amount::Percent,
        _ if key.to_ascii_lowercase().contains("percent") => Amount::Percent,
        _ if key.contains("Fee") || key.ends_with("_fee") => Amount::Fee,
        _ if key.to_ascii_lowercase().contains("cap") => Amount::Cap,
        _ => Amount::Money,
    }
}
