//! The words that documents are made of. People, firms and places to be reached are invented: domains
//! end in `.example`, telephone numbers have the exchange 555.

/// Given names; some with letters outside ASCII, which are clean text too.
pub(super) const FIRST_NAMES: &[&str] = &[
    "Ada", "Alden", "Amara", "Anna", "Bea", "Bo", "Calla", "Cora", "Dafne", "Dora", "Edda", "Elio", "Farah",
    "Fenn", "Greta", "Gwil", "Hal", "Hugo", "Ida", "Ilan", "Jon", "José", "Kai", "Kaya", "Leo", "Leoni",
    "Lucy", "Maren", "Milo", "Nadia", "Noël", "Odo", "Orla", "Petra", "Quin", "Ren", "Rowan", "Sana",
    "Soren", "Tam", "Teo", "Ursa", "Vance", "Wren", "Xavi", "Yael", "Zora", "Zoë",
];

/// Surnames, invented.
pub(super) const LAST_NAMES: &[&str] = &[
    "Alder",
    "Amberly",
    "Ashe",
    "Barrow",
    "Bell",
    "Birch",
    "Brightly",
    "Calder",
    "Castell",
    "Clover",
    "Copper",
    "Dunmar",
    "Easton",
    "Elms",
    "Fairby",
    "Fenwil",
    "Foxe",
    "Glass",
    "Golden",
    "Greyfen",
    "Harte",
    "Hawth",
    "Hollow",
    "Ironby",
    "Juniper",
    "Kestrel",
    "Kingsley",
    "Larke",
    "Lindqvær",
    "Locke",
    "Marrow",
    "Mistle",
    "Moone",
    "Nighte",
    "Oakes",
    "O'Bran",
    "Pember",
    "Quill",
    "Raven",
    "Rosey",
    "Salter",
    "Silver",
    "Stone",
    "Thistle",
    "Umber",
    "Vander-Holt",
    "Whitt",
    "Yarrow",
];

/// A place: city, state, its abbreviation, county, zip, area code, latitude, longitude.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) city: &'static str,
    pub(super) state: &'static str,
    pub(super) abbreviation: &'static str,
    pub(super) county: &'static str,
    pub(super) zip: u32,
    pub(super) area_code: u32,
    pub(super) latitude: i64,
    pub(super) longitude: i64,
}

const fn place(
    names: [&'static str; 4],
    zip: u32,
    area_code: u32,
    (latitude, longitude): (i64, i64),
) -> Place {
    let [city, state, abbreviation, county] = names;
    Place { city, state, abbreviation, county, zip, area_code, latitude, longitude }
}

/// Where rows are; latitude and longitude in whole degrees.
pub(super) const PLACES: &[Place] = &[
    place(["Denver", "Colorado", "CO", "Denver"], 80202, 303, (39, -104)),
    place(["Austin", "Texas", "TX", "Travis"], 78701, 512, (30, -97)),
    place(["Phoenix", "Arizona", "AZ", "Maricopa"], 85003, 602, (33, -112)),
    place(["Tampa", "Florida", "FL", "Hillsborough"], 33602, 813, (27, -82)),
    place(["Raleigh", "North Carolina", "NC", "Wake"], 27601, 919, (35, -78)),
    place(["Boise", "Idaho", "ID", "Ada"], 83702, 208, (43, -116)),
    place(["Columbus", "Ohio", "OH", "Franklin"], 43215, 614, (39, -82)),
    place(["Salt Lake City", "Utah", "UT", "Salt Lake"], 84101, 801, (40, -111)),
    place(["Sacramento", "California", "CA", "Sacramento"], 95814, 916, (38, -121)),
    place(["Cañon City", "Colorado", "CO", "Fremont"], 81212, 719, (38, -105)),
    place(["Minneapolis", "Minnesota", "MN", "Hennepin"], 55401, 612, (44, -93)),
    place(["Charleston", "South Carolina", "SC", "Charleston"], 29401, 843, (32, -79)),
];

/// Streets, without the house number.
pub(super) const STREETS: &[&str] = &[
    "Alder Ave",
    "Beacon Rd",
    "Cedar Dr",
    "Dogwood Ct",
    "Elm St",
    "Foxglove Ln",
    "Granite Pkwy",
    "Harbor Ter",
    "Ivory Way",
    "Juniper St",
    "Kestrel Cir",
    "Lake Dr",
    "Mulberry Pl",
    "N Orchard St",
    "Old Mill Rd",
    "Prairie Trl",
];

/// Firms, invented.
pub(super) const COMPANIES: &[&str] = &[
    "Amber & Oak",
    "Beacon Title",
    "Clear Escrow",
    "Dovetail Co.",
    "Evergreen",
    "Fathom Bay",
    "Gable LLC",
    "Hearth Law, P.C.",
    "Ironbark",
    "Juniper Loans",
    "Keystone Team",
    "Lantern",
];

/// What prose is made of: clean words, free of anything that JSON escapes.
pub(super) const PROSE: &[&str] = &[
    "about",
    "always",
    "and",
    "buyers",
    "client",
    "closing",
    "commission",
    "community",
    "contract",
    "during",
    "escrow",
    "family",
    "first",
    "for",
    "friendly",
    "garden",
    "helps",
    "homes",
    "honest",
    "in",
    "inspection",
    "keeps",
    "knows",
    "listing",
    "local",
    "market",
    "moves",
    "neighborhood",
    "never",
    "of",
    "offers",
    "open",
    "patient",
    "property",
    "quiet",
    "referral",
    "sellers",
    "since",
    "team",
    "the",
    "through",
    "to",
    "with",
    "years",
];

/// Job titles.
pub(super) const TITLES: &[&str] = &[
    "REALTOR",
    "Broker Associate",
    "Managing Broker",
    "Team Leader",
    "Transaction Coordinator",
    "Sales Associate",
];

/// Domains that no mail can reach (RFC 2606).
pub(super) const DOMAINS: &[&str] = &["oak.example", "mail.example", "bay.example"];

/// Labels of lists.
pub(super) const TAGS: &[&str] =
    &["luxury", "first-time", "investor", "relocation", "vip", "new build", "follow up", "waterfront"];

/// Where a row came from, and the like: short words of keys of the kind text.
pub(super) const SOURCES: &[&str] = &["rezen", "fub", "manual", "import", "skyslope"];
/// Lead sources.
pub(super) const LEADS: &[&str] =
    &["Referral", "Open House", "Website", "Sphere", "Sign Call", "Past Client"];
/// Time zones.
pub(super) const TIMEZONES: &[&str] =
    &["America/Denver", "America/Chicago", "America/New_York", "America/Phoenix", "America/Los_Angeles"];
/// Pages of the application.
pub(super) const PAGES: &[&str] = &["dashboard", "transactions", "network", "listings"];

const AGENT_STATUS: &[&str] =
    &["ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE", "CANDIDATE", "REJECTED", "RESURRECTING"];
const COUNTRIES: &[&str] = &["UNITED_STATES", "CANADA"];
const STAGES: &[&str] = &["Active", "Pending", "Closed", "Closed", "Terminated"];
const SIDES: &[&str] = &["BUYER", "SELLER", "DUAL", "TENANT", "LANDLORD"];
const ROLES: &[&str] = &[
    "BUYER",
    "SELLER",
    "BUYERS_AGENT",
    "SELLERS_AGENT",
    "REAL",
    "OTHER",
    "OTHER_AGENT",
    "TENANT",
    "LANDLORD",
    "TITLE",
    "TITLE_ESCROW",
    "LAWYER",
    "LENDER",
    "INSPECTOR",
    "APPRAISER",
    "TRUSTEE",
    "VENDOR",
    "CLIENT",
    "TEAM_LEADER",
    "AGENT",
];

/// The clean values of a key of the kind enum.
pub(super) fn enum_values(entity: &str, key: &str) -> &'static [&'static str] {
    match (entity, key) {
        ("agents", "agent_status" | "status") => AGENT_STATUS,
        ("agents", "invitationStatus") => &["ACCEPTED", "PENDING", "EXPIRED"],
        ("agents", "agentAccountCountry") | ("network", "accountCountry") => COUNTRIES,
        ("transactions", "address_country") => COUNTRIES,
        ("users", "subscription_type") => &["Free", "Monthly", "Annual"],
        ("users", "view") => &["Agent", "Team", "Network", "Admin"],
        ("users", "role") => &["Admin", "Member", "Owner"],
        ("users", "account_type") => &["Team", "Individual"],
        ("users", "two_factor_method") => &["sms", "totp", "email"],
        ("users", "subscription_status") => &["active", "trialing", "past_due", "canceled"],
        ("transactions", "transactionType" | "type" | "dealType") => &["SALE", "LEASE", "REFERRAL", "OTHER"],
        ("transactions", "propertyType") => &["RESIDENTIAL", "COMMERCIAL", "LAND", "RENTAL"],
        ("transactions", "transaction_owner_representation" | "representationType") => SIDES,
        ("transactions", "lifecycle_state") => &["NEW", "UNDER_CONTRACT", "SETTLED", "CLOSED", "TERMINATED"],
        ("transactions", "complianceStatus") => &["INCOMPLETE", "IN_REVIEW", "APPROVED"],
        ("transactions", "builderType") => &["TRANSACTION", "LISTING"],
        ("transactions", "source") => &["REZEN", "MANUAL", "IMPORT"],
        ("transactions", "geocode_status") => &["OK", "PARTIAL", "FAILED"],
        ("participants", "role") => ROLES,
        ("network", "status") => {
            &["Active", "Active", "Active", "Inactive", "Candidate", "Rejected", "Resurrecting"]
        }
        ("network", "contact_frequency") => &["Weekly", "Monthly", "Quarterly", "Never"],
        ("network", "sponsorship_type") => &["Direct", "Co-sponsor", "Transfer"],
        // `stage` and `status` of transactions and participants.
        _ => STAGES,
    }
}
